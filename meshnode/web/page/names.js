// What somebody is called. Who is no contact has no name we could trust, only a key; its beginning is enough to tell
// two strangers apart.

import { t } from "./words.js";

const KEY = /^[0-9a-f]{64}$/;
const SHORT = 8;

export const nameOf = (name) => (KEY.test(name) ? t("person.unknown", { id: name.slice(0, SHORT) }) : name);
