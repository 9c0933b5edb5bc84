// What this browser remembers, by name. `null` and the empty text forget it.

export function recall(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem("meshnode." + name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

// By what the box knows a guest again who comes back with this browser.
export function guestKey(make) {
  const key = recall("guest-key", "") || make();
  keep("guest-key", key);
  return key;
}

export const forgetGuest = () => keep("guest-key", null);

export function keep(name, value) {
  try {
    if (value === null || value === "") localStorage.removeItem("meshnode." + name);
    else localStorage.setItem("meshnode." + name, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing still shows everything.
  }
}
