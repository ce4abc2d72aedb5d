"""All of BERT, to be read in one sitting.

In this order, each module on what the ones before it have:

1. `config`: the numbers that define a BERT.
2. `embeddings` (with `dropout`): token + position + segment, (B, T) to (B, T, d).
3. `attention`: where positions meet; masks; the explicit implementation beside the fused call.
4. `encoder`: attention and feed-forward with their residuals and norms, stacked.
5. `bert`: `BertModel`, all of it together. It stands on `pretrained` (how any model is
   initialised, loaded and saved), which you may leave for later: read it after `lora`.
6. `heads` (with `loss`): masked words, next sentences, next words: what pre-training trains.
7. `task_heads`: a label a text, a label a token, an answer in a paragraph: what fine-tuning trains.
8. `generation`: continue a text, one token after the other.
9. `lora`: train a thin product beside the frozen matrices.

Shapes in comments: B texts, T tokens of each, d = `hidden_size`, H heads, V entries.

May import: torch; `weights` where a model is loaded and saved (`pretrained`).
"""
