/** An expression with a plus-minus sign stands for the list of its readings. */
import { childrenOf, type Expression, mapChildren, negative, some } from "./expression.ts";

/** Signs of one value that are read apart. */
const MAX_SIGNS = 4;

/**
 * A list of the readings where plus-minus signs stand in a value. Several signs turn together where a minus-plus is among them, and
 * in the entries of a tuple; in one number, as in +-1 +- sqrt 2, each turns by itself.
 */
export function spread(node: Expression): Expression {
  if (!some(node, (part) => part.kind === "plus-minus")) return node;
  if (node.kind === "list" || node.kind === "set") {
    const items = node.items.flatMap((item) => {
      const read = spread(item);
      return read.kind === "list" ? read.items : [read];
    });
    return { ...node, items };
  }
  const count = countSigns(node);
  const isLinked =
    node.kind === "tuple" || count > MAX_SIGNS || some(node, (part) => part.kind === "plus-minus" && part.opposite);
  const numReadings = isLinked ? 2 : 2 ** count;
  const items = Array.from({ length: numReadings }, (_, index) =>
    reading(node, isLinked ? (index === 0 ? 0 : -1) : index),
  );
  // x is neither 1 nor -1.
  const isExcluded = node.kind === "relation" && node.operators.join() === "!=";
  return { kind: "list", items, joiner: isExcluded ? "and" : "or" };
}

function countSigns(node: Expression): number {
  const own = node.kind === "plus-minus" ? 1 : 0;
  return childrenOf(node).reduce((total, part) => total + countSigns(part), own);
}

/** `bits` says for each sign, in reading order, whether it takes its second value. */
function reading(node: Expression, bits: number): Expression {
  let rest = bits;
  const read = (part: Expression): Expression => {
    if (part.kind !== "plus-minus") return mapChildren(part, read);
    const isSecond = (rest & 1) === 1;
    rest >>= 1;
    const value = read(part.value);
    return part.opposite === isSecond ? value : negative(value);
  };
  return read(node);
}
