/** The script of all pages. Everything works without it; it spares clicks, and loading a page again. */

export const script = `
// One box chooses all on the page.
for (const all of document.querySelectorAll("input[data-all]")) {
  const boxes = [...all.form.elements].filter((one) => one.name === all.dataset.all);
  all.addEventListener("change", () => boxes.forEach((box) => (box.checked = all.checked)));
  for (const box of boxes) {
    box.addEventListener("change", () => {
      all.checked = boxes.every((one) => one.checked);
      all.indeterminate = !all.checked && boxes.some((one) => one.checked);
    });
  }
}

// The progress of an act.
const shown = document.querySelector("[data-progress]");
if (shown !== null) {
  const bar = shown.querySelector("progress");
  const status = shown.querySelector("[role=status]");
  const look = async () => {
    try {
      const answer = await fetch(shown.dataset.progress);
      if (!answer.ok) return location.reload();
      const { isOver, count, expected, text } = await answer.json();
      if (isOver) return location.reload();
      status.textContent = text;
      if (expected !== undefined) bar.value = count;
    } catch {
      status.textContent = "The inbox does not answer. Trying again.";
    }
    setTimeout(look, 500);
  };
  setTimeout(look, 250);
}
`;
