(() => {
  const box = document.currentScript.parentElement;
  const frames = [...box.querySelectorAll("figure")];
  const { label, control: kind, width } = box.dataset;
  const control = document.createElement(kind === "range" ? "input" : "select");
  const shown = document.createElement("output");
  const choose = () => {
    const chosen = kind === "range" ? control.valueAsNumber : control.selectedIndex;
    frames.forEach((frame, i) => { frame.style.display = i === chosen ? "block" : "none"; });
    if (kind !== "range") return;
    shown.textContent = frames[chosen].dataset.choice;
    control.setAttribute("aria-valuetext", shown.textContent);
  };
  if (kind === "range") {
    Object.assign(control, { type: "range", min: 0, max: frames.length - 1, step: 1, value: 0 });
    control.style.cssText = "width:16em;max-width:50%;padding:0";
  } else {
    for (const frame of frames) control.add(new Option(frame.dataset.choice));
  }
  control.autocomplete = "off";
  control.dataset.lmSuppressShortcuts = "true"; // JupyterLab's: the arrow keys are the control's
  control.addEventListener("input", choose);
  for (const frame of frames) {
    frame.firstElementChild.width = width;
    frame.lastElementChild.remove();
  }
  const row = document.createElement("label");
  row.style.cssText = "display:flex;align-items:center;gap:.6em;margin:.3em 0";
  row.append(label, control);
  if (kind === "range") row.append(shown);
  box.prepend(row);
  choose();
})();
