// Before anything is drawn: the theme that was chosen here, else the system's. A classic script, because a module would come after the
// first paint.
(() => {
  const chosen = localStorage.getItem("martlet.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
