/** A tokenizer of single characters: ids are places in an alphabet, "<e>" is the only special token. */
import type { ChatTokenizer } from "../../src/server/chat-tokenizer.ts";

const alphabet = [..."0123456789+-*= "];
/** The alphabet, then the end token. */
export const vocabSize = alphabet.length + 1;
export const endId = alphabet.length;

export const letters: ChatTokenizer = {
  eosTokenIds: [endId],
  encode: (text) =>
    [...text.matchAll(/<e>|./gs)].map(([piece]) => {
      const id = piece === "<e>" ? endId : alphabet.indexOf(piece);
      if (id < 0) throw new RangeError(`no token for ${JSON.stringify(piece)}`);
      return id;
    }),
  decode: (ids, { skipSpecialTokens = false } = {}) =>
    ids.map((id) => (id === endId ? (skipSpecialTokens ? "" : "<e>") : alphabet[id])).join(""),
  applyChatTemplate: (messages, { addGenerationPrompt = false } = {}) => {
    if (messages.some((message) => message.role === "robot")) throw new Error("unknown role robot");
    return messages.map((message) => `${message.content}<e>`).join("") + (addGenerationPrompt ? "=" : "");
  },
};
