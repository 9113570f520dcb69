// The search and the switch between light and dark. It works on pages opened as files.
"use strict";

const base = document.body.dataset.base;

document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("nami-theme", root.dataset.theme); } catch (e) { /* it holds for this page only */ }
});

// An entry must have each word of the query; the better the place, the higher it stands.
function score(entry, words) {
  const title = entry.title.toLowerCase();
  const last = title.slice(title.lastIndexOf(".") + 1);
  const text = (entry.in + " " + entry.text).toLowerCase();
  let sum = 0;
  for (const word of words) {
    if (title === word || last === word) sum += 100;
    else if (title.startsWith(word) || last.startsWith(word)) sum += 50;
    else if (title.includes(word)) sum += 25;
    else if (text.includes(word)) sum += 5;
    else return 0;
  }
  return sum + (entry.kind === "method" ? 0 : 1);
}

function find(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  return window.searchIndex
    .map((entry) => ({ entry, rank: score(entry, words) }))
    .filter((found) => found.rank > 0)
    .sort((a, b) => b.rank - a.rank || a.entry.title.length - b.entry.title.length)
    .slice(0, 12)
    .map((found) => found.entry);
}

const input = document.getElementById("search");
const results = document.getElementById("results");
let chosen = 0;

function show() {
  const found = find(input.value);
  results.replaceChildren(...found.map((entry, i) => {
    const link = document.createElement("a");
    link.href = base + entry.to;
    const title = document.createElement("strong");
    title.textContent = entry.title;
    const where = document.createElement("small");
    where.textContent = entry.kind + (entry.in && entry.in !== entry.title ? " in " + entry.in : "");
    const text = document.createElement("span");
    text.textContent = entry.text.slice(0, 120);
    link.append(title, where, text);
    const item = document.createElement("li");
    item.className = i === chosen ? "chosen" : "";
    item.append(link);
    return item;
  }));
  if (input.value.trim() && !found.length) {
    const item = document.createElement("li");
    item.textContent = "nothing found";
    results.append(item);
  }
  results.hidden = !input.value.trim();
}

input.addEventListener("input", () => { chosen = 0; show(); });
input.addEventListener("keydown", (event) => {
  const count = results.querySelectorAll("a").length;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (count) chosen = (chosen + (event.key === "ArrowDown" ? 1 : count - 1)) % count;
    show();
  } else if (event.key === "Enter" && count) {
    results.querySelectorAll("a")[chosen].click();
    results.hidden = true;
  } else if (event.key === "Escape") {
    input.value = "";
    show();
    input.blur();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
    event.preventDefault();
    input.focus();
  }
});
document.addEventListener("click", (event) => {
  if (!event.target.closest(".search")) results.hidden = true;
});
