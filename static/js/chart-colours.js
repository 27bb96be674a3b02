// The house's colours as the chart needs them: as text, for the style sheets do not reach it.

const TONES = ["1", "2", "3", "4", "5", "6", "7", "8", "rest"];
const TRANSPARENT = "rgba(0, 0, 0, 0)";

function groundOf(element) {
  const ground = getComputedStyle(element).backgroundColor;
  const around = element.parentElement;
  return ground === TRANSPARENT && around ? groundOf(around) : ground;
}

// Read anew for each drawing: the themes differ.
export function coloursOf(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(name).trim();
  return {
    bar: read("--chart-bar"),
    line: read("--chart-line"),
    thin: read("--chart-thin"),
    contents: Object.fromEntries(TONES.map((tone) => [tone, read(`--content-${tone}`)])),
    text: read("--dim"),
    grid: read("--line"),
    ground: groundOf(element),
    font: style.fontFamily,
  };
}
