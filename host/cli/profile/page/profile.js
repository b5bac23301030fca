// The page of a profile, with more comfort: tables that sort, a timeline that zooms. All is readable without it.
"use strict";

// ---- Tables -----------------------------------------------------------------------------------------------

// What a row is sorted by in a column: a number where the cell has one, else its text; what is not known comes last.
function keyOf(row, column) {
  const cell = row.cells[column];
  const number = cell.dataset.v;
  const text = cell.textContent.trim();
  return number !== undefined ? Number(number) : text === "–" ? null : text.toLowerCase();
}

function compare(a, b, direction) {
  if (a === null || b === null) {
    return (a === null) - (b === null);
  }
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  return direction * order;
}

// Numbers begin with the largest, texts with the first of the alphabet; a second time turns it round.
function sortBy(table, column) {
  const headings = Array.from(table.tHead.rows[0].cells);
  const heading = headings[column];
  const now = heading.getAttribute("aria-sort");
  const first = heading.classList.contains("n") ? "descending" : "ascending";
  const next = now === null ? first : now === "ascending" ? "descending" : "ascending";
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => [keyOf(row, column), row]);
  rows.sort((a, b) => compare(a[0], b[0], next === "ascending" ? 1 : -1));
  body.append(...rows.map((entry) => entry[1]));
  headings.forEach((other) => other.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", next);
}

for (const table of document.querySelectorAll("table.sortable")) {
  Array.from(table.tHead.rows[0].cells).forEach((heading, column) => {
    if (table.tBodies[0].rows[0]?.cells[column].classList.contains("bar")) {
      return; // a picture has no order
    }
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, column));
    heading.append(button);
  });
}

// ---- Timelines --------------------------------------------------------------------------------------------

const MOST_ZOOM = 400;
const LEVELS = [4, 16, 80]; // the factors from which on more labels are shown (page_timeline.c has the same)

function makeZoom(figure) {
  const frame = figure.querySelector(".window");
  const drawing = figure.querySelector(".lines");
  let factor = 1;

  // Zooms around a place of the window, given in pixels from its left.
  function zoom(to, x = frame.clientWidth / 2) {
    const next = Math.min(MOST_ZOOM, Math.max(1, to));
    const at = (frame.scrollLeft + x) / factor;
    factor = next;
    drawing.style.width = `${100 * factor}%`;
    drawing.dataset.zoom = String(LEVELS.filter((level) => factor >= level).length);
    frame.scrollLeft = at * factor - x;
  }

  const actions = [
    ["−", "Zoom out", () => zoom(factor / 2), ["-", "_"]],
    ["+", "Zoom in", () => zoom(factor * 2), ["+", "="]],
    ["All", "Show all", () => zoom(1), ["0"]],
  ];
  const tools = document.createElement("div");
  tools.className = "tools";
  for (const [text, name, action] of actions) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.title = name;
    button.setAttribute("aria-label", name);
    button.addEventListener("click", action);
    tools.append(button);
  }
  const hint = document.createElement("span");
  hint.textContent = "or + − 0 and the arrow keys in the timeline, or Ctrl and the mouse wheel; point at a mark for its name";
  tools.append(hint);
  figure.prepend(tools);

  frame.addEventListener("keydown", (event) => {
    const action = actions.find((entry) => entry[3].includes(event.key));
    if (action !== undefined && !event.ctrlKey && !event.metaKey) {
      action[2]();
      event.preventDefault();
    }
  });
  frame.addEventListener("wheel", (event) => {
    if (event.ctrlKey) {
      zoom(factor * Math.exp(-event.deltaY / 300), event.clientX - frame.getBoundingClientRect().left);
      event.preventDefault();
    }
  }, { passive: false });
}

document.querySelectorAll(".timeline").forEach(makeZoom);
