/**
 * `sasl.jaas.config` as Java reads it: `<login module> required name="value" name2='value' … ;`. Of the module only the last part of its class is looked
 * at; of its options those that the mechanism needs.
 */

export interface JaasEntry {
  /** `ScramLoginModule` */
  readonly module: string
  readonly options: ReadonlyMap<string, string>
}

/** @throws Error that says what is wrong, and nothing of what the text holds: it holds a password */
export function parseJaas(text: string): JaasEntry {
  const tokens = tokensOf(text)
  const [className, flag, ...rest] = tokens
  if (className === undefined) throw new Error('is empty')
  if (!['required', 'requisite', 'sufficient', 'optional'].includes(flag?.toLowerCase() ?? '')) {
    throw new Error('must say "required" after the login module')
  }
  if (rest.pop() !== ';') throw new Error('must end with a semicolon')
  const options = new Map<string, string>()
  for (let index = 0; index < rest.length; index += 3) {
    const [name, equals, value] = rest.slice(index, index + 3)
    if (equals !== '=' || value === undefined || value === '=') {
      throw new Error(`must have name=value for each option, and has none after option ${options.size}`)
    }
    options.set(name!, value)
  }
  return { module: className.split('.').at(-1)!, options }
}

/** Words, quoted texts without their quotes, and the signs `=` and `;`. */
function tokensOf(text: string): string[] {
  const tokens: string[] = []
  const pattern = /\s+|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([=;])|([^\s"'=;]+)/y
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex
    const match = pattern.exec(text)
    if (!match) throw new Error(`has a quote that is not closed, or a character out of place, at position ${at}`)
    const [, double, single, sign, word] = match
    const quoted = double ?? single
    if (quoted !== undefined) tokens.push(quoted.replaceAll(/\\(.)/g, '$1'))
    else if (sign ?? word) tokens.push((sign ?? word)!)
  }
  return tokens
}
