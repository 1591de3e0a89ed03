/** What the embedded server needs of a tokenizer, so that this room does not depend on how one is loaded. */

export interface ChatTokenizer {
  /** Tokens that end a completion. */
  readonly eosTokenIds: readonly number[];
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): number[];
  decode(tokenIds: readonly number[], options?: { readonly skipSpecialTokens?: boolean }): string;
  /** The rendered text; throws when there is no template or it refuses the messages. */
  applyChatTemplate(
    messages: readonly { readonly role: string; readonly content: string }[],
    options?: { readonly addGenerationPrompt?: boolean; readonly [name: string]: unknown },
  ): string;
}
