/** What the visitor chose for the whole page. Kept in the browser if it lets us, and for this visit if it does not. */

interface Preferences {
  language: 'en' | 'ko'
  theme: 'light' | 'dark'
}

const allowed: { readonly [K in keyof Preferences]: readonly Preferences[K][] } = {
  language: ['en', 'ko'],
  theme: ['light', 'dark'],
}

export function remembered<K extends keyof Preferences>(name: K): Preferences[K] | undefined {
  try {
    const value = localStorage.getItem(`sluice-${name}`)
    return allowed[name].find((one) => one === value)
  } catch {
    return undefined
  }
}

export function remember<K extends keyof Preferences>(name: K, value: Preferences[K] | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(`sluice-${name}`)
    else localStorage.setItem(`sluice-${name}`, value)
  } catch {
    // A browser that keeps nothing: the choice holds until the page is closed.
  }
}
