/** Names of tables and columns in SQL: quoted, so that they are taken as they are written, capitals and all. Pure. */

/** What a server puts around a name: `"` in the standard, a backtick in MySQL. */
export type Quote = '"' | '`'

export interface TableName {
  /** The database, for MySQL. */
  readonly schema: string | undefined
  readonly name: string
}

export function quotedName(name: string, quote: Quote): string {
  return `${quote}${name.replaceAll(quote, quote + quote)}${quote}`
}

/** `schema.table` or `table`; a dot parts the two unless it is within quotes. undefined when it is neither. */
export function parseTableName(text: string, quote: Quote): TableName | undefined {
  const part = `${quote}(?:[^${quote}]|${quote}${quote})+${quote}|[^${quote}.]+`
  const match = new RegExp(`^(?:(${part})\\.)?(${part})$`).exec(text)
  if (!match) return undefined
  const plain = (name: string) => (name.startsWith(quote) ? name.slice(1, -1).replaceAll(quote + quote, quote) : name)
  return { schema: match[1] === undefined ? undefined : plain(match[1]), name: plain(match[2]!) }
}

export function qualifiedName({ schema, name }: TableName, quote: Quote): string {
  return schema === undefined ? quotedName(name, quote) : `${quotedName(schema, quote)}.${quotedName(name, quote)}`
}
