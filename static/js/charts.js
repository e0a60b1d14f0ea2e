// Figures that can be pointed at and walked through. The page brings each as a picture; where this script runs, the same
// figure is drawn anew in the page's own colours, with words for every mark.

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const OPTIONS = { mode: "vega-lite", renderer: "svg", ast: true, defaultStyle: false, actions: false, tooltip: { disableDefaultStyle: true } };
const KEYS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
let library = null;

function loadLibrary(address) {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.type = "module";
    script.onload = () => resolve(window.vegaEmbed);
    script.onerror = () => reject(new Error("the chart library did not arrive"));
    document.head.append(script);
  });
  return library;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function theme() {
  const [ink, quiet, line] = ["--ink", "--ink-quiet", "--line"].map(colour);
  const letters = { labelColor: quiet, titleColor: quiet, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" };
  const category = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => colour(`--category-${number}`));
  return {
    background: "transparent",
    font: "system-ui, sans-serif",
    view: { stroke: null },
    range: { category },
    axis: { ...letters, domain: false, ticks: false, labelPadding: 6, labelLimit: 180, labelFlush: false, gridColor: line },
    legend: letters,
    rule: { color: ink },
    point: { color: ink },
    style: {
      quiet: { color: quiet, fill: quiet, stroke: null },
      level: { color: quiet, stroke: quiet, strokeDash: [4, 3] },
      here: { stroke: ink, strokeWidth: 2.5, fill: null },
    },
  };
}

async function specOf(place) {
  if (place.dataset.inline) return JSON.parse(document.getElementById(place.dataset.inline).textContent);
  const response = await fetch(place.dataset.spec);
  if (!response.ok) throw new Error("the figure did not arrive");
  return response.json();
}

async function draw(place) {
  const [embed, spec] = await Promise.all([loadLibrary(place.dataset.library), specOf(place)]);
  const stage = document.createElement("div");
  const narrow = place.clientWidth < 480;
  const legend = narrow ? { legend: { ...theme().legend, orient: "top", columns: 2 }, axis: { ...theme().axis, labelLimit: 110 } } : {};
  place.append(stage);
  const { view } = await embed(stage, { ...spec, width: "container", autosize: { type: "fit-x", contains: "padding" }, config: { ...theme(), ...legend } }, OPTIONS);
  place.replaceChildren(stage);
  place.dataset.drawn = "";
  walk(place, view, spec.usermeta?.points ?? []);
}

// The arrow keys go from mark to mark; what each says stands below the figure and is read out.
function walk(place, view, points) {
  const words = place.parentElement.querySelector(".here");
  let at = -1;
  place.tabIndex = 0;
  place.setAttribute("role", "application");
  place.setAttribute("aria-roledescription", "figure");
  place.setAttribute("aria-label", `${place.dataset.title}: ${points.length} marks; arrow keys go from one to the next`);
  const go = (to) => {
    at = to;
    view.signal("at", at).run();
    words.textContent = points[at] ?? "";
  };
  place.onkeydown = (event) => {
    const ends = { Home: 0, End: points.length - 1 };
    if (event.key === "Escape") go(-1);
    else if (event.key in ends) go(ends[event.key]);
    else if (event.key in KEYS) go(Math.min(Math.max(at + KEYS[event.key], 0), points.length - 1));
    else return;
    event.preventDefault();
  };
  place.onblur = () => go(-1);
}

const places = [...document.querySelectorAll(".drawing[data-library]")];
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    seen.unobserve(entry.target);
    draw(entry.target).catch(() => {}); // the picture stays
  }
}, { rootMargin: "400px" });
for (const place of places) seen.observe(place);
dark.addEventListener("change", () => places.filter((place) => "drawn" in place.dataset).forEach((place) => draw(place).catch(() => {})));
