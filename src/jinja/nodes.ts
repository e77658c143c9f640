/** The syntax tree of a template. `line` counts from 1. */
interface At {
  readonly line: number;
}

export interface Arguments {
  readonly positional: readonly Expression[];
  readonly named: readonly (readonly [name: string, value: Expression])[];
  /** `*list` and `**mapping` */
  readonly spread: Expression | undefined;
  readonly spreadNamed: Expression | undefined;
}

export type Expression =
  | (At & { readonly kind: "constant"; readonly value: null | boolean | bigint | number | string })
  | (At & { readonly kind: "name"; readonly name: string })
  | (At & { readonly kind: "list" | "tuple"; readonly items: readonly Expression[] })
  | (At & { readonly kind: "dict"; readonly entries: readonly (readonly [Expression, Expression])[] })
  | (At & { readonly kind: "attribute"; readonly of: Expression; readonly name: string })
  | (At & { readonly kind: "item"; readonly of: Expression; readonly key: Expression })
  | (At & {
      readonly kind: "slice";
      readonly of: Expression;
      readonly start: Expression | undefined;
      readonly stop: Expression | undefined;
      readonly step: Expression | undefined;
    })
  | (At & { readonly kind: "call"; readonly of: Expression; readonly args: Arguments })
  /** `of` is undefined for the text of a filter block or a set block. */
  | (At & {
      readonly kind: "filter";
      readonly of: Expression | undefined;
      readonly name: string;
      readonly args: Arguments;
    })
  | (At & { readonly kind: "test"; readonly of: Expression; readonly name: string; readonly args: Arguments })
  | (At & { readonly kind: "unary"; readonly operator: "-" | "+" | "not"; readonly of: Expression })
  | (At & { readonly kind: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression })
  | (At & { readonly kind: "and" | "or"; readonly left: Expression; readonly right: Expression })
  | (At & { readonly kind: "concat"; readonly parts: readonly Expression[] })
  | (At & {
      readonly kind: "compare";
      readonly first: Expression;
      readonly rest: readonly (readonly [operator: string, operand: Expression])[];
    })
  | (At & {
      readonly kind: "condition";
      readonly test: Expression;
      readonly value: Expression;
      readonly otherwise: Expression | undefined;
    });

/** What is assigned to: a name, an attribute of a namespace, or several of them. */
export type Target =
  | (At & { readonly kind: "name"; readonly name: string })
  | (At & { readonly kind: "namespace"; readonly name: string; readonly attribute: string })
  | (At & { readonly kind: "targets"; readonly items: readonly Target[] });

export interface Parameter {
  readonly name: string;
  readonly standard: Expression | undefined;
}

/** A macro, or the body of a call block or of `{% generation %}`. */
export interface MacroBody extends At {
  /** Undefined for a caller. */
  readonly name: string | undefined;
  readonly parameters: readonly Parameter[];
  readonly body: readonly Statement[];
}

export type Statement =
  | (At & { readonly kind: "output"; readonly parts: readonly (string | Expression)[] })
  | (At & { readonly kind: "if"; readonly branches: readonly Branch[]; readonly otherwise: readonly Statement[] })
  | (At & {
      readonly kind: "for";
      readonly target: Target;
      readonly iterable: Expression;
      readonly test: Expression | undefined;
      readonly recursive: boolean;
      readonly body: readonly Statement[];
      readonly otherwise: readonly Statement[];
    })
  | (At & { readonly kind: "set"; readonly target: Target; readonly value: Expression })
  | (At & {
      readonly kind: "set-block";
      readonly target: Target;
      readonly filter: Expression | undefined;
      readonly body: readonly Statement[];
    })
  | (At & { readonly kind: "macro"; readonly macro: MacroBody })
  | (At & { readonly kind: "call-block"; readonly call: Expression; readonly caller: MacroBody })
  | (At & { readonly kind: "filter-block"; readonly filter: Expression; readonly body: readonly Statement[] })
  | (At & {
      readonly kind: "with";
      readonly targets: readonly Target[];
      readonly values: readonly Expression[];
      readonly body: readonly Statement[];
    })
  | (At & { readonly kind: "generation"; readonly caller: MacroBody })
  | (At & { readonly kind: "break" | "continue" });

export interface Branch {
  readonly test: Expression;
  readonly body: readonly Statement[];
}
