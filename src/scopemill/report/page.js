document.getElementById("filter").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const one of document.querySelectorAll(".thumb")) one.hidden = !one.dataset.text.includes(wanted);
});
