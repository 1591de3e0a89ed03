/** Flags as Python's argparse takes them: `--name value`, `--name=value`, `--name v1 v2`, and `--name` alone for true. */
import { scalarOf } from "./hydra.ts";
import type { Setting } from "./settings.ts";
import type { Word } from "./shell.ts";

/** Dashes in names count as underscores. Words before the first flag are left out. */
export function parseFlags(words: readonly Word[], label: string): Setting[] {
  const settings: Setting[] = [];
  let flag: { key: string; place: string; values: Word[] } | null = null;
  const end = () => {
    if (flag !== null) settings.push(settingOf(flag.key, flag.place, flag.values));
    flag = null;
  };
  for (const word of words) {
    const match = /^--([A-Za-z_][\w.-]*)(=[\s\S]*)?$/.exec(word.text);
    if (match === null) {
      flag?.values.push(word);
      continue;
    }
    end();
    const value = match[2]?.slice(1);
    flag = {
      key: match[1]!.replaceAll("-", "_"),
      place: `${label}:${word.line}`,
      values: value === undefined ? [] : [{ ...word, text: value }],
    };
  }
  end();
  return settings;
}

function settingOf(key: string, place: string, values: readonly Word[]): Setting {
  const unreadable = values.find((word) => word.unreadable !== undefined)?.unreadable;
  const texts = values.map(({ text }) => text);
  const value = texts.length === 0 ? true : texts.length === 1 ? scalarOf(texts[0]!) : texts.map(scalarOf);
  return { key, value, place, ...(unreadable === undefined ? {} : { unreadable }) };
}
