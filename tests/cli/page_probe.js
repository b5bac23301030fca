// Runs at the end of a copy of a profile's page, in the tests: uses the page as a person would and writes what it saw
// into the document, where the test finds it.
"use strict";

const results = {};

function luminance([r, g, b]) {
  const part = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * part(r / 255) + 0.7152 * part(g / 255) + 0.0722 * part(b / 255);
}
function contrast(a, b) {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}
// [r, g, b, a] of a computed colour.
function colour(text) {
  const numbers = text.match(/[\d.]+/g).map(Number);
  return numbers.length === 3 ? [...numbers, 1] : numbers;
}
function backgroundOf(element) {
  for (let at = element; at !== null; at = at.parentElement) {
    const back = colour(getComputedStyle(at).backgroundColor);
    if (back[3] === 1) {
      return back;
    }
  }
  return [255, 255, 255, 1];
}
function variable(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = colour(getComputedStyle(probe).color);
  probe.remove();
  return found;
}

// ---- Contrast -----------------------------------------------------------------------------------------------------

let worstText = 21;
for (const element of document.querySelectorAll("body :not(svg, svg *, script)")) {
  const own = Array.from(element.childNodes).some((node) => node.nodeType === 3 && node.data.trim() !== "");
  if (own) {
    worstText = Math.min(worstText, contrast(colour(getComputedStyle(element).color), backgroundOf(element)));
  }
}
results.text_contrast = worstText;
const fills = ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "g1", "g2", "g3", "g4", "g5", "l1", "l2"];
results.mark_contrast = Math.min(...fills.map((name) => contrast(variable(name), variable("panel"))));
results.label_contrast = Math.min(...["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "l1", "l2"].map((name) =>
  contrast(variable(name), variable("on"))));
results.dark = luminance(backgroundOf(document.body)) < 0.2;

// ---- Shape --------------------------------------------------------------------------------------------------------

results.width = innerWidth;
results.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
results.tables = document.querySelectorAll("table").length;
results.tables_without_caption = document.querySelectorAll("table:not(:has(> caption))").length;
results.headings_without_scope = document.querySelectorAll("th:not([scope])").length;
results.ids_twice = Array.from(document.querySelectorAll("[id]")).length -
  new Set(Array.from(document.querySelectorAll("[id]"), (element) => element.id)).size;
results.dead_links = Array.from(document.querySelectorAll("a")).filter(
  (link) => document.getElementById(link.getAttribute("href").slice(1)) === null).length;
results.foreign = Array.from(document.querySelectorAll("b, img, iframe, link, [onload], [onclick], [src]")).length;
results.cases = JSON.parse(document.getElementById("profile-data").textContent).length - 1;

// ---- Sorting ------------------------------------------------------------------------------------------------------

const table = Array.from(document.querySelectorAll("table.sortable")).find(
  (one) => one.tHead.rows[0].cells[0].textContent === "operator");
const headings = Array.from(table.tHead.rows[0].cells);
const column = headings.findIndex((heading) => heading.textContent === "GF/s");
const button = headings[column].querySelector("button");
const values = () => Array.from(table.tBodies[0].rows, (row) => row.cells[column].dataset.v).filter(
  (value) => value !== undefined).map(Number);
const isSorted = (list, direction) => list.every((value, i) => i === 0 || direction * (value - list[i - 1]) >= 0);
results.sorted_before = isSorted(values(), -1) || isSorted(values(), 1);
button.focus();
results.focus = document.activeElement === button && button.tabIndex === 0;
button.click();
results.falling = isSorted(values(), -1) && headings[column].getAttribute("aria-sort") === "descending";
const last = table.tBodies[0].rows[table.tBodies[0].rows.length - 1];
results.unknown_last = last.cells[column].dataset.v === undefined;
button.click();
results.rising = isSorted(values(), 1) && headings[column].getAttribute("aria-sort") === "ascending";
headings[0].querySelector("button").click();
const names = Array.from(table.tBodies[0].rows, (row) => row.cells[0].textContent);
results.by_name = headings[0].getAttribute("aria-sort") === "ascending" &&
  headings[column].getAttribute("aria-sort") === null && names[0] < names[names.length - 1];

// ---- The timeline -------------------------------------------------------------------------------------------------

const frame = document.querySelector(".window");
const drawing = frame.querySelector(".lines");
const press = (key) => frame.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const full = drawing.getBoundingClientRect().width;
const times = () => Math.round(drawing.getBoundingClientRect().width / full);
results.frame_focus = frame.tabIndex === 0;
press("+");
press("+");
results.zoomed = times();
results.more_labels = drawing.dataset.zoom === "1";
frame.dispatchEvent(new WheelEvent("wheel", { deltaY: -300 * Math.log(2), ctrlKey: true, clientX: 300, cancelable: true }));
results.wheeled = times();
press("-");
results.back = times();
document.querySelector(".tools button:last-of-type").click();
results.all = times();

// ---- Told to the test ---------------------------------------------------------------------------------------------

const told = document.createElement("pre");
told.textContent = `RESULTS${JSON.stringify(results)}STLUSER`;
document.body.replaceChildren(told);
