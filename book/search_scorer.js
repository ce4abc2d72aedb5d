/* Titles and chapters come before the API: who searches for NSP does not mean i-nsp-ection. */
var Scorer = {
  score: ([page, title, anchor, description, score]) =>
    /^book\/ch\d/.test(page) ? score + 5 : page === "book/api" ? score / 10 : score,
  objNameMatch: 11,
  objPartialMatch: 1,
  objPrio: { 0: 5, 1: 0, 2: -5 },
  objPrioDefault: 0,
  title: 30,
  partialTitle: 7,
  term: 5,
  partialTerm: 1,
};
