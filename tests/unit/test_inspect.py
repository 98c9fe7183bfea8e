"""Inspect: only the person with the address is served, only the study, and what they decide is kept."""

import hashlib
import http.client
import io
import json
import threading
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import uvicorn
from PIL import Image as Pillow

from scopemill import images, tables
from scopemill.commands import inspect as command
from scopemill.decisions import FILE, read_standing
from scopemill.inspect import guard, server, tiles
from scopemill.inspect.opened import OpenStudy
from scopemill.settings import ConfigError

HOSTILE = "<img src=x onerror=alert(1)>"
LABELS = np.zeros((1, 1, 12, 10), np.uint32)
LABELS[0, 0, 1:5, 1:5], LABELS[0, 0, 6:10, 4:8] = 1, 2
META = images.Meta((1, 2, 3, 12, 10), ("DNA", "dye"), 0.5, 1.0, fingerprint="f")
PIXELS = np.zeros(META.shape, np.uint16)
PIXELS[0, 0, 1, 1:5, 1:5] = 1000
PIXELS[0, 1, 2] = 50
TOKEN = "the-token"
DECISION = {"image": "a", "object": "cells", "t": 0, "label": 1, "decision": "reject", "class": ""}


def write_results(tmp_path):
    """A finished study of two images and two cells."""
    folder = tmp_path / "results" / "tiny"
    for part in ("images", "labels/cells", "features/cells", "objects/cells"):
        (folder / part).mkdir(parents=True)
    images.write_image(folder / "images/a.ome.tif", META, np.uint16, images.reader_of(PIXELS))
    images.write_labels(folder / "labels/cells/a.ome.tif", images.reader_of(LABELS), LABELS.shape, META, "f")  # fmt: skip
    cells = pd.DataFrame(
        {
            "image": "a", "object": "cells", "t": 0, "label": [1, 2], "class": ["T", HOSTILE],
            "centroid_y": [2.5, 7.5], "centroid_x": [2.5, 5.5], "y0": [1, 6], "x0": [1, 4], "y1": [5, 10], "x1": [5, 8],
            "suspicion": [0.1, 0.9],
        }
    )  # fmt: skip
    tables.write_table(folder / "objects.parquet", cells)
    tables.write_table(folder / "features/cells/a.parquet", cells, objects="cells")
    tables.write_table(folder / "objects/cells/a.parquet", cells, labels="cells")
    names = pd.DataFrame({"image": ["a", "../../secret"], "status": ["ok", "quarantined"], "code": ["", "FLAT"]})  # fmt: skip
    tables.write_csv(folder / "images.csv", names)
    (tmp_path / "secret.ome.tif").write_bytes((folder / "images/a.ome.tif").read_bytes())
    return folder


@contextmanager
def serving(root):
    """Port and app of a running server."""
    listening = command.listen(guard.HOST, 0)
    port = listening.getsockname()[1]
    app = server.make_app(OpenStudy(root), port, TOKEN, "ann")
    running = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield port, app
    finally:
        running.should_exit = True
        thread.join(20)


@pytest.fixture
def root(tmp_path):
    return write_results(tmp_path)


@pytest.fixture
def served(root):
    with serving(root) as (port, app):
        yield Client(port, app, root)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """For questions, and for what must not be written."""
    root = write_results(tmp_path_factory.mktemp("shared"))
    with serving(root) as (port, app):
        yield Client(port, app, root)


class Client:
    """Asks as the page would, unless told otherwise."""

    def __init__(self, port, app, root):
        self.port, self.app, self.root = port, app, root
        self.headers = {"Cookie": f"{app.cookie}={app.session}"}
        self.writing = {
            **self.headers,
            "Origin": f"http://127.0.0.1:{port}",
            "Content-Type": "application/json",
            "X-Scopemill-Token": app.write_token,
        }

    def ask(self, path, method="GET", body=None, **headers):
        """Status, headers and body; a header of None is left out."""
        own = {**(self.writing if method == "POST" else self.headers), **headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host="Host" in own)
            for name, value in own.items():
                if value is not None:
                    connection.putheader(name, value)
            if body is not None and "Content-Length" not in own:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def json(self, path):
        status, _, body = self.ask(path)
        assert status == 200, body
        return json.loads(body)

    def decide(self, headers=None, **changes):
        body = json.dumps({**DECISION, **changes}).encode()
        return self.ask("/api/decide", "POST", body, **(headers or {}))[0]


def standing(root):
    return [(one.image, one.object, one.label, one.decision, one.class_) for one in read_standing(root / FILE)]  # fmt: skip


def test_the_token_is_exchanged_for_a_cookie_that_scripts_cannot_read(shared):
    status, headers, _ = shared.ask(f"/?token={TOKEN}", Cookie=None)
    assert status == 303 and headers["Location"] == "/"
    assert "HttpOnly" in headers["Set-Cookie"] and "SameSite=strict" in headers["Set-Cookie"]
    assert TOKEN not in headers["Set-Cookie"]
    cookie = headers["Set-Cookie"].split(";")[0]
    assert shared.ask("/", Cookie=cookie)[0] == 200


@pytest.mark.parametrize("path", ["/", "/?token=", "/?token=wrong", "/static/main.js", "/api/study", f"/api/study?token={TOKEN}"])  # fmt: skip
def test_without_token_or_cookie_there_is_nothing_to_see(shared, path):
    for cookie in (None, f"{shared.app.cookie}=wrong", "=;;", f"{shared.app.cookie}={TOKEN}"):
        status, _, body = shared.ask(path, Cookie=cookie)
        assert status == 403 and b"scopemill inspect" in body


@pytest.mark.parametrize("host", ["evil.example", "localhost", "127.0.0.1", "127.0.0.1:1", "[::1]", ""])  # fmt: skip
def test_another_name_for_this_host_is_refused(shared, host):
    assert shared.ask("/", Host=host)[0] == 421
    assert shared.ask(f"/?token={TOKEN}", Host=host, Cookie=None)[0] == 421


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_page_of_this_machine_is_refused(shared, site):
    assert shared.ask("/api/study", **{"Sec-Fetch-Site": site})[0] == 403
    assert shared.ask("/api/study", **{"Sec-Fetch-Site": "same-origin"})[0] == 200


def test_what_is_sent_may_load_nothing_from_elsewhere(shared):
    _, headers, body = shared.ask("/")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers
    assert b"http://" not in body and b"https://" not in body and b"<script>" not in body


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server.py", "/static/..%2fserver.py", "/static/%2e%2e/server.py", "/static/..%5cserver.py",
        "/static//etc/passwd", "/static/", "/../../secret.ome.tif", "/static/index.html%00.js", "/etc/passwd",
        "/api/thumbnail?image=../../secret", "/api/thumbnail?image=..%2F..%2Fsecret", "/api/image?image=../../secret",
        "/api/thumbnail?image=%2Fetc%2Fpasswd", "/api/image?image=b", "/api/image",
        "/api/outlines?image=a&task=../../images&level=0&x=0&y=0&color=ffffff",
        "/api/outlines?image=a&task=..&level=0&x=0&y=0&color=ffffff",
        "/api/trace?image=a&object=..%2Fcells&t=0&label=1", "/api/trace?image=a&object=cells&t=0&label=3",
    ],
)  # fmt: skip
def test_nothing_outside_the_study_is_served(shared, path):
    assert shared.ask(path)[0] == 404


def test_a_link_that_leads_out_of_the_study_is_not_followed(root, served):
    (root / "images/a.ome.tif").unlink()
    (root / "images/a.ome.tif").symlink_to(root.parents[1] / "secret.ome.tif")
    assert served.ask("/api/thumbnail?image=a")[0] == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "POST", "TRACE"])
def test_only_a_decision_may_be_posted(shared, method):
    assert shared.ask("/api/study", method)[0] == 405


def test_a_decision_cannot_be_made_by_a_link(shared):
    assert shared.ask("/api/decide")[0] == 405


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": None}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
        {"X-Scopemill-Token": None}, {"X-Scopemill-Token": TOKEN}, {"X-Scopemill-Token": ""}, {"Cookie": None},
        {"Content-Type": "text/plain"}, {"Content-Type": None}, {"Sec-Fetch-Site": "same-site"},
    ],
)  # fmt: skip
def test_a_decision_from_elsewhere_is_refused(shared, headers):
    assert shared.decide(headers) == 403
    assert not (shared.root / FILE).exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"decision": "perhaps"}, {"decision": "relabel"}, {"class": "T"}, {"label": "1"}, {"label": -1}, {"t": 1.0},
        {"label": True}, {"image": None}, {"decision": "relabel", "class": "x" * 65}, {"decision": "relabel", "class": "a\u0000b"},
        {"decision": "relabel", "class": "T", "object": "", "label": 0}, {"label": 2**40},
    ],
)  # fmt: skip
def test_what_is_no_decision_is_refused(shared, changes):
    assert shared.decide(**changes) == 400
    assert not (shared.root / FILE).exists()


@pytest.mark.parametrize("changes", [{"image": "b"}, {"label": 3}, {"object": "nuclei"}, {"t": 1}])
def test_a_decision_about_nothing_is_refused(shared, changes):
    assert shared.decide(**changes) == 404
    assert not (shared.root / FILE).exists()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b"[" * 3000, b" " * 5000])
def test_a_damaged_or_too_large_body_is_refused(shared, body):
    assert shared.ask("/api/decide", "POST", body)[0] == 400


def test_decisions_are_kept_with_who_and_where(root, served):
    assert served.decide() == 200
    assert served.decide(label=2, decision="relabel", **{"class": "  B  cell "}) == 200
    (first, second) = read_standing(root / FILE)
    assert (first.user, first.y, first.x, first.time[-1]) == ("ann", 2.5, 2.5, "Z")
    assert second.class_ == "B cell"
    (a, _) = served.json("/api/study")["images"]
    assert (a["n_cells"], a["n_decided"]) == (2, 2)
    assert served.decide(decision="undecided") == 200
    assert standing(root) == [("a", "cells", 2, "relabel", "B cell")]


def test_decisions_are_there_after_a_restart(root):
    with serving(root) as (port, app):
        assert Client(port, app, root).decide() == 200
    with serving(root) as (port, app):
        cells = Client(port, app, root).json("/api/image?image=a")["cells"]
    assert {one["label"]: one["decision"] for one in cells} == {1: "reject", 2: ""}


def test_an_image_is_decided_as_a_whole(root, served):
    image = {"object": "", "label": 0}
    assert served.decide(**image) == 200
    assert [one["decision"] for one in served.json("/api/study")["images"]] == ["reject", ""]
    assert served.decide(**image, decision="undecided") == 200
    assert standing(root) == []


def test_a_decision_that_was_made_under_another_label_is_taken_back_too(root, served):
    assert served.decide() == 200
    table = tables.read_table(root / "objects.parquet")
    tables.write_table(root / "objects.parquet", table.assign(label=[8, 9]))
    assert served.json("/api/image?image=a")["cells"][1]["decision"] == "reject"
    assert served.decide(label=8, decision="undecided") == 200
    assert standing(root) == []


def test_rejected_cells_are_still_shown_when_they_have_left_the_tables(root, served):
    table = tables.read_table(root / "objects.parquet")
    tables.write_table(root / "objects.parquet", table[1:])
    tables.write_csv(root / "rejected.csv", table[:1].assign(rejected_by="ann"))
    assert [one["label"] for one in served.json("/api/image?image=a")["cells"]] == [2, 1]


def test_while_new_tables_are_made_the_last_ones_are_shown(root, served):
    (root / "images.csv").unlink()
    assert len(served.json("/api/study")["images"]) == 2
    tables.write_csv(root / "images.csv", pd.DataFrame({"image": ["a"], "status": ["ok"], "code": ""}))  # fmt: skip
    assert len(served.json("/api/study")["images"]) == 1


def test_cells_and_images_come_by_suspicion_and_names_as_they_are(shared):
    study, image = shared.json("/api/study"), shared.json("/api/image?image=a")
    assert [one["label"] for one in image["cells"]] == [2, 1]
    assert study["classes"] == [HOSTILE, "T"] and study["user"] == "ann"
    assert [one["image"] for one in study["images"]] == ["a", "../../secret"]
    assert (image["width"], image["height"], image["n_planes"], image["labels"]) == (10, 12, 3, ["cells"])  # fmt: skip


def picture(served, path):
    status, _, body = served.ask(path)
    assert status == 200, body
    return np.asarray(Pillow.open(io.BytesIO(body)))


CHANNEL = "/api/channel?image=a&level=0&x=0&y=0&t=0&low=0&high=1000&color=ff0000"


def test_a_tile_shows_a_channel_in_its_colour(shared):
    seen = picture(shared, f"{CHANNEL}&c=0&z=max")
    assert seen.shape == (12, 10, 3)
    assert seen[2, 2].tolist() == pytest.approx([254, 0, 0], abs=20)
    assert seen[11, 9].max() < 5
    assert picture(shared, f"{CHANNEL}&c=0&z=0").max() < 5
    assert picture(shared, f"{CHANNEL}&c=1&z=2".replace("1000", "50"))[11, 9, 0] > 250


def test_outlines_are_the_inner_border_and_clear_elsewhere(shared):
    seen = picture(shared, "/api/outlines?image=a&task=cells&level=0&x=0&y=0&t=0&z=1&color=00ff00")
    assert seen[1, 1].tolist() == [0, 255, 0, 255]
    assert seen[2, 2, 3] == 0 and seen[11, 9, 3] == 0
    assert np.count_nonzero(seen[..., 3]) == 24  # two squares of 4 x 4 without their 2 x 2


def test_borders_do_not_depend_on_where_tiles_end(tmp_path, monkeypatch):
    path = tmp_path / "labels.ome.tif"
    images.write_labels(path, images.reader_of(LABELS), LABELS.shape, META, "f")
    whole = Pillow.open(io.BytesIO(tiles.render_outlines(path, 0, (0, 0), 0, "max", "#ffffff")))
    monkeypatch.setattr(tiles, "TILE_PX", 4)
    part = Pillow.open(io.BytesIO(tiles.render_outlines(path, 0, (1, 2), 0, "max", "#ffffff")))
    assert np.array_equal(np.asarray(part), np.asarray(whole)[8:12, 4:8])


@pytest.mark.parametrize(
    "query",
    ["level=1&x=0&y=0", "level=0&x=1&y=0", "level=0&x=0&y=1", "level=0&x=0&y=0&t=1", "level=0&x=0&y=0&z=3", "level=0&x=0&y=0&c=2"],
)  # fmt: skip
def test_there_are_no_other_tiles(shared, query):
    assert shared.ask(f"/api/channel?image=a&low=0&high=1&color=ffffff&{query}")[0] == 404


@pytest.mark.parametrize("change", [("level=0", "level=-1"), ("x=0", "x=a"), ("low=0", "low=nan"), ("ff0000", "red"), ("t=0", "t=99999999999")])  # fmt: skip
def test_a_tile_of_no_sense_is_refused(shared, change):
    assert shared.ask(CHANNEL.replace(*change))[0] == 400


def test_the_outline_of_a_cell_goes_round_it(shared):
    (line,) = shared.json("/api/trace?image=a&object=cells&t=0&label=1")
    xs, ys = np.array(line).T
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (1, 5, 1, 5)


def test_a_thumbnail_has_all_channels(shared):
    assert picture(shared, "/api/thumbnail?image=a").shape == (240, 200, 3)


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="run to its end"):
        OpenStudy(tmp_path)


def test_a_port_that_is_taken_is_named():
    taken = command.listen("127.0.0.1", 0)
    with pytest.raises(ConfigError, match="choose another one"):
        command.listen("127.0.0.1", taken.getsockname()[1])
    taken.close()


def test_the_viewer_is_the_published_one():
    data = (server.STATIC / "openseadragon.min.js").read_bytes()
    assert hashlib.sha256(data).hexdigest() == "14d587cd3ee7c4861f1a41077ce642029364a21029956ba635bd8fb1202cf9ad"  # fmt: skip
    assert b"openseadragon 6.1.1" in data[:100]
    assert "Redistribution and use" in (server.STATIC / "openseadragon.LICENSE.txt").read_text()
