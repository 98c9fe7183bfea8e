"""scopemill inspect: the results of a study -> a local page in which images and cells are accepted, rejected, relabelled.

Decisions are kept in results/<study>/decisions.sqlite; the next run of snakemake applies them.
"""

import argparse
import getpass
import secrets
import socket
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str]) -> int:
    """Serve until it is interrupted."""
    parser = argparse.ArgumentParser("scopemill inspect", description=__doc__)
    parser.add_argument("results", type=Path, help="results folder of a finished study: results/<study>")  # fmt: skip
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; any free one when not given")  # fmt: skip
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    parser.add_argument("--user", default="", help="who decides; your login name when not given")
    options = parser.parse_args(arguments)
    import uvicorn

    from ..inspect.guard import HOST
    from ..inspect.opened import OpenStudy
    from ..inspect.server import make_app

    study = OpenStudy(options.results)
    listening = listen(HOST, options.port)
    port, token = listening.getsockname()[1], secrets.token_urlsafe(32)
    app = make_app(study, port, token, options.user or getpass.getuser())
    address = f"http://{HOST}:{port}/?token={token}"
    sys.stdout.write(f"{address}\nOnly you have this address. Ctrl-C ends it.\n")
    sys.stdout.flush()
    if not options.no_browser:
        webbrowser.open(address)
    # the log of requests would hold the token
    settings = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, ws="none")  # fmt: skip
    uvicorn.Server(settings).run(sockets=[listening])
    return 0


def listen(host: str, port: int) -> socket.socket:
    """A socket of this machine only.

    Raises
    ------
    ConfigError
        When the port is taken.
    """
    from ..settings import ConfigError

    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind((host, port))
        one.listen()  # the browser may ask before the server is ready
    except (OSError, OverflowError) as error:
        raise ConfigError(f"--port {port}: cannot listen there ({error}); choose another one, or none") from error  # fmt: skip
    return one
