const AT_ONCE = 60;
const more = JSON.parse(document.getElementById("more").textContent);
const inPage = [...document.querySelectorAll(".thumb")];
const next = document.getElementById("next");
let found = more, shown = 0;

function makeThumb([image, group]) {
  const link = document.createElement("a"), picture = document.createElement("img"), words = document.createElement("span");
  link.className = "thumb more";
  picture.loading = "lazy";
  picture.alt = image;
  picture.addEventListener("error", () => { words.textContent = `${image}: not found in the folder qc/ beside this page`; });
  link.href = picture.src = `qc/${encodeURIComponent(image)}.png`;
  words.textContent = group === "ok" ? image : `${image} \u00b7 ${group}`;
  link.append(picture, words);
  return link;
}

function showMore() {
  document.querySelector(".gallery").append(...found.slice(shown, shown + AT_ONCE).map(makeThumb));
  shown = Math.min(shown + AT_ONCE, found.length);
  sayMore();
}

function sayMore() {
  const left = found.length - shown;
  next.hidden = !left;
  next.textContent = `Show ${Math.min(AT_ONCE, left)} more of ${left}`;
}

function search(wanted) {
  for (const one of document.querySelectorAll(".more")) one.remove();
  for (const one of inPage) one.hidden = !one.dataset.text.includes(wanted);
  found = more.filter((one) => one.join(" ").toLowerCase().includes(wanted));
  shown = 0;
  const matches = inPage.filter((one) => !one.hidden).length + found.length;
  document.getElementById("matches").textContent = wanted && `${matches} of ${inPage.length + more.length} images`;
  if (wanted) showMore(); else sayMore();
}

next.addEventListener("click", showMore);
document.getElementById("filter").addEventListener("input", (event) => search(event.target.value.toLowerCase()));
sayMore();
