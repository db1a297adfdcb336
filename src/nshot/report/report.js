"use strict";

// Tables: a heading sorts by the cells' data-sort; a cell without one goes last either way.
function sortBy(heading) {
  const table = heading.closest("table");
  const body = table.tBodies[0];
  const column = heading.cellIndex;
  const now = heading.getAttribute("aria-sort");
  const first = heading.dataset.first;
  const other = first === "ascending" ? "descending" : "ascending";
  const next = now === first ? other : first;
  for (const one of table.tHead.rows[0].cells) {
    if (one.hasAttribute("aria-sort")) one.setAttribute("aria-sort", "none");
  }
  heading.setAttribute("aria-sort", next);
  const way = next === "ascending" ? 1 : -1;
  const rows = Array.from(body.rows, (row) => [row, row.cells[column].dataset.sort]);
  rows.sort(([, a], [, b]) => {
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
    const byNumber = Number(a) - Number(b);
    return way * (Number.isNaN(byNumber) ? a.localeCompare(b) : byNumber);
  });
  for (const [row] of rows) body.append(row);
}

for (const heading of document.querySelectorAll("th[aria-sort]")) {
  heading.querySelector("button").addEventListener("click", () => sortBy(heading));
}

// The board: a table, a tighter one, or cards, whichever is the first that fits.
const box = document.querySelector(".boardbox");

function fit() {
  for (const style of ["table", "tight", "cards"]) {
    box.className = `scroll boardbox ${style}`;
    if (box.scrollWidth <= box.clientWidth) return;
  }
}

if (box) {
  fit();
  window.addEventListener("resize", fit);
  box.addEventListener("toggle", fit, true);
}

// Mistakes: what is typed filters them; a confused pair fills the search by itself.
const search = document.getElementById("find");
const mistakes = Array.from(document.querySelectorAll(".mistakes > li"));

function show(keep) {
  let count = 0;
  for (const one of mistakes) {
    one.hidden = !keep(one);
    count += one.hidden ? 0 : 1;
  }
  for (const more of document.querySelectorAll("details.more")) more.open = count < mistakes.length;
  document.getElementById("found").textContent = `${count} shown`;
}

if (search) {
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().normalize("NFC").split(/\s+/).filter(Boolean);
    show((one) => words.every((word) => one.textContent.toLowerCase().normalize("NFC").includes(word)));
  });
  for (const link of document.querySelectorAll("a[data-expected]")) {
    link.addEventListener("click", () => {
      const { expected, answer } = link.dataset;
      search.value = `${expected} ${answer}`;
      show((one) => one.dataset.expected === expected && one.dataset.answer === answer);
    });
  }
}

// Paper cannot be opened: print with every part unfolded, then fold them again.
let folded = [];
window.addEventListener("beforeprint", () => {
  folded = Array.from(document.querySelectorAll("details:not([open])"));
  for (const part of folded) part.open = true;
});
window.addEventListener("afterprint", () => {
  for (const part of folded) part.open = false;
});
