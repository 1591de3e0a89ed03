/** What Grouper needs of a tokenizer. */

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

export interface ChatTemplateOptions {
  /** Ends with the opening of the assistant's turn. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** Variables of the template, e.g. enable_thinking. */
  readonly [name: string]: unknown;
}

export interface Tokenizer {
  /** Number of ids, special tokens included. A model's embedding may be padded beyond it. */
  readonly vocabSize: number;
  readonly eosTokenId: number;
  /** Every id that ends a text, the first of them eosTokenId. */
  readonly eosTokenIds: readonly number[];
  readonly bosTokenId: number | null;
  /** The strings that are one special token each. */
  readonly specialTokens: readonly string[];
  /** Special tokens in the text are recognised always; `addSpecialTokens` (default false) adds what the model's own format adds, e.g. BOS. */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): number[];
  decode(tokenIds: readonly number[], options?: { readonly skipSpecialTokens?: boolean }): string;
  /** The rendered text. Throws RecipeError when there is no template or it refuses the messages. */
  applyChatTemplate(messages: readonly ChatMessage[], options?: ChatTemplateOptions): string;
  /** Writes the files that a Hugging Face folder has; `dir` exists. */
  save(dir: string): Promise<void>;
}
