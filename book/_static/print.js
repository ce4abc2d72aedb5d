/* Paper is light: while a page is printed it is too. */
(() => {
  let shown;
  addEventListener("beforeprint", () => {
    shown = document.documentElement.dataset.theme;
    document.documentElement.dataset.theme = "light";
  });
  addEventListener("afterprint", () => {
    document.documentElement.dataset.theme = shown;
  });
})();
