/**
 * The types of MySQL's and MariaDB's columns, as text: what a configuration may say, and what `information_schema` answers, in one spelling. Pure.
 *
 *     integer, int(11)        → int                 boolean, bool → tinyint(1)
 *     bigint(20) unsigned     → bigint unsigned     numeric(5,2)  → decimal(5,2)
 */

const SYNONYMS: readonly (readonly [RegExp, string])[] = [
  [/^bool(?:ean)?$/, 'tinyint(1)'],
  [/^integer\b/, 'int'],
  [/^double precision$|^real$/, 'double'],
  [/^(?:numeric|dec|fixed)\b/, 'decimal'],
  [/^decimal$/, 'decimal(10,0)'],
  [/^decimal\((\d+)\)$/, 'decimal($1,0)'],
  [/^(char|binary|bit)$/, '$1(1)'],
  [/^year\(4\)$/, 'year'],
  [/^(datetime|timestamp|time)\(0\)$/, '$1'],
  // The width of display, which newer servers no longer show; of tinyint it says that a boolean is meant.
  [/^((?:small|medium|big)?int)\(\d+\)/, '$1'],
  [/^tinyint\((?!1\))\d+\)/, 'tinyint'],
]

const ALLOWED = [
  '(?:tiny|small|medium|big)?int(?: unsigned)?',
  'tinyint\\(1\\)',
  'float',
  'double',
  'decimal\\(\\d+,\\d+\\)(?: unsigned)?',
  '(?:char|varchar|binary|varbinary|bit)\\(\\d+\\)',
  '(?:tiny|medium|long)?(?:text|blob)',
  '(?:datetime|timestamp|time)(?:\\([1-6]\\))?',
  'date',
  'year',
  'json',
]
const allowed = new RegExp(`^(?:${ALLOWED.join('|')})$`)

/** One spelling of each type. */
export function spelled(type: string): string {
  let text = type
    .trim()
    .toLowerCase()
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([(),]) ?/g, '$1')
    .replaceAll(/\)(?=\w)/g, ') ')
  for (const [pattern, replacement] of SYNONYMS) text = text.replace(pattern, replacement)
  return text
}

/** The type that a configuration names, in one spelling; undefined when it is none that a column may be made with. */
export function columnType(text: string): string | undefined {
  const type = spelled(text)
  return allowed.test(type) ? type : undefined
}
