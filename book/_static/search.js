/* What a search result shows of its page is the page's text, without the theme's toolbars. */
document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return; // only the search page has it
  const whole = Search.htmlToText;
  Search.htmlToText = (html, anchor) => {
    const article = new DOMParser().parseFromString(html, "text/html").querySelector("article");
    if (!article) return whole(html, anchor);
    for (const part of article.querySelectorAll("fieldset, .answers, .notebook-links")) part.remove();
    return whole(`<div role="main">${article.innerHTML}</div>`, anchor);
  };
});
