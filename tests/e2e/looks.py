"""What the tests ask of a page as it looks: scripts that run in the browser."""

# For a moment of the recording (as a share of it): whether the waveform shows sound above its middle
# line, and below it.
INKED = """share => {
  const canvas = document.querySelector(".wave canvas");
  const pen = canvas.getContext("2d");
  const inked = (from, to) => {
    const left = Math.round(share * canvas.width) - 3;
    const [top, height] = [Math.round(from * canvas.height), Math.round((to - from) * canvas.height)];
    return pen.getImageData(left, top, 6, height).data.some((value, at) => at % 4 === 3 && value > 0);
  };
  return [inked(0, 0.45), inked(0.55, 1)];
}"""

# Texts whose contrast (WCAG 2.2 §1.4.3) with the first opaque ground behind them is below 4.5.
FAINT_TEXTS = """() => {
  const rgb = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const linear = (part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) =>
    0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = rgb(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faint = new Set();
  for (const element of document.querySelectorAll("main *, header *")) {
    const texts = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
    const text = texts.map((node) => node.data.trim()).join("");
    if (!text || !element.checkVisibility() || element.closest(".sr-only, option")) continue;
    const pair = [luminance(rgb(getComputedStyle(element).color)), luminance(ground(element))];
    const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (contrast < 4.5) faint.add(`${text.slice(0, 30)}: ${contrast.toFixed(2)}`);
  }
  return [...faint];
}"""

# Controls that a screen reader could not name.
NAMELESS_CONTROLS = """() => {
  const named = (control) =>
    control.getAttribute("aria-label") || control.getAttribute("aria-labelledby") ||
    control.textContent.trim() || control.labels?.length;
  return [...document.querySelectorAll("button, a, input, select, textarea, [role=slider]")]
    .filter((control) => control.checkVisibility() && !named(control))
    .map((control) => control.outerHTML);
}"""

FITS = "document.documentElement.scrollWidth <= innerWidth"
