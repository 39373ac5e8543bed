// What is wrong with the page as it stands: contrast, names, focus, structure. One sentence for each; an expression, so that it can be
// evaluated in any page.
(() => {
  const wrong = [];
  const isSeen = (element) => element.checkVisibility(
    { opacityProperty: true, visibilityProperty: true }
  ) && !element.closest(".unseen, .skip, [hidden]");
  const about = (element) => `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") ?? ""}"> ${(element.textContent ?? "").trim().slice(0, 40)}`;

  // Colours, as the canvas resolves them: any notation becomes four numbers.
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const colour = (text) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = text;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const ground = (element) => {
    if (element === null) return colour(getComputedStyle(document.documentElement).colorScheme === "dark" ? "#000" : "#fff");
    const own = colour(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : over(own, ground(element.parentElement));
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map(
      (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4)
    );
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const looked = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (looked.has(element) || walker.currentNode.data.trim() === "" || element.closest(
      "svg, script, noscript, :disabled"
    ) || !isSeen(element)) {
      continue;
    }
    looked.add(element);
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const wanted = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const found = contrast(over(colour(style.color), ground(element)), ground(element));
    if (found < wanted) wrong.push(`contrast ${found.toFixed(2)}, not ${wanted}: ${about(element)}`);
  }

  // Names, for who hears the page.
  const named = (element) => [
    element.getAttribute("aria-label"), element.labels?.[0]?.textContent, element.textContent, element.title, element.alt,
    document.getElementById(element.getAttribute("aria-labelledby") ?? "")?.textContent,
  ].some((text) => typeof text === "string" && text.trim() !== "") || element.alt === "";
  for (const element of document.querySelectorAll(
    "a, button, input, select, textarea, [role=img], [role=group], progress, dialog, nav, video"
  )) {
    if (isSeen(element) && !named(element)) wrong.push(`no name: ${about(element)}`);
  }
  for (const image of document.images) if (!image.hasAttribute("alt")) wrong.push("an image without alt");
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (isSeen(field) && !field.labels?.length && !field.getAttribute("aria-label")) wrong.push(`no label: ${about(field)}`);
  }

  // Structure.
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  for (const id of new Set(ids.filter((id, place) => ids.indexOf(id) !== place))) wrong.push(`the id ${id} stands twice`);
  const heads = [...document.querySelectorAll("h1, h2, h3, h4")].filter((head) => head.checkVisibility());
  if (heads.filter(({ tagName }) => tagName === "H1").length !== 1) wrong.push("there is not exactly one h1");
  heads.forEach((head, place) => {
    const skips = place > 0 && Number(head.tagName[1]) > Number(heads[place - 1].tagName[1]) + 1;
    if (skips) wrong.push(`a heading skips a level: ${about(head)}`);
  });
  if (!document.documentElement.lang) wrong.push("the page has no language");
  for (const cell of document.querySelectorAll("th")) if (!cell.scope) wrong.push(`a heading cell without scope: ${about(cell)}`);

  // Focus: whatever can be reached shows that it is.
  const before = document.activeElement;
  for (const element of document.querySelectorAll(
    "a[href], button:not(:disabled), input:not(:disabled), select, textarea, summary, [tabindex='0']"
  )) {
    if (!isSeen(element)) continue;
    element.focus({ focusVisible: true, preventScroll: true });
    const style = getComputedStyle(element);
    if (document.activeElement === element && (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 1)) {
      wrong.push(`focus is not seen: ${about(element)}`);
    }
  }
  before?.focus?.({ preventScroll: true });

  // Room: nothing reaches out of the screen, and a thumb hits what can be pressed.
  if (document.documentElement.scrollWidth > innerWidth + 1) {
    wrong.push(`the page is ${document.documentElement.scrollWidth} px wide on a screen of ${innerWidth}`);
  }
  for (const element of document.querySelectorAll("button, select")) {
    const { height, width } = element.getBoundingClientRect();
    if (isSeen(element) && (height < 24 || width < 24)) wrong.push(`too small to hit: ${about(element)}`);
  }
  return wrong;
})()
