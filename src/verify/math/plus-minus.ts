/** An expression with a plus-minus sign stands for the list of its readings. */
import { type Expression, mapChildren, negative, some } from "./expression.ts";

/** A list of both readings where a plus-minus sign stands in a value; all signs of one value turn together. */
export function spread(node: Expression): Expression {
  if (!some(node, (part) => part.kind === "plus-minus")) return node;
  if (node.kind === "list" || node.kind === "set") {
    const items = node.items.flatMap((item) => {
      const read = spread(item);
      return read.kind === "list" ? read.items : [read];
    });
    return { ...node, items };
  }
  return { kind: "list", items: [reading(node, false), reading(node, true)], joiner: "or" };
}

function reading(node: Expression, isSecond: boolean): Expression {
  if (node.kind === "plus-minus") {
    const value = reading(node.value, isSecond);
    return node.opposite === isSecond ? value : negative(value);
  }
  return mapChildren(node, (part) => reading(part, isSecond));
}
