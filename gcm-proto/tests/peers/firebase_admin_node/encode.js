// Encodes every input with the package firebase-admin for Node, and prints the bodies that it would send.
//
// usage: node encode.js FOLDER INPUTS > messages.golden
//
// FOLDER has the package in its node_modules. The inputs are those of the Python package, by its names; here they get the names,
// units and types of this one. The first line of the output names the package and its version. Each further line is the body of
// one input, or why the package refuses it. An option of the package that no input sets is an error: a newer version may have more.
"use strict";

const fs = require("fs");
const path = require("path");

const [folder, inputs] = process.argv.slice(2);
const root = path.resolve(folder, "node_modules", "firebase-admin");
const { validateMessage } = require(path.join(root, "lib", "messaging", "messaging-internal.js"));
const { deepCopy } = require(path.join(root, "lib", "utils", "deep-copy.js"));
const declared = fs.readFileSync(path.join(root, "lib", "messaging", "messaging-api.d.ts"), "utf8");

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

// The options that were set, as `Interface.option`.
const used = new Set();

// An object of an interface with these options; `parts` says what becomes of the values of some, `names` how others are called.
// An option that is null is one that is left out.
const build = (kind, options, { parts = {}, names = {} } = {}) => {
  if (options === null || typeof options !== "object" || Array.isArray(options)) {
    return options;
  }
  const built = {};
  for (const [option, value] of Object.entries(options)) {
    if (value === null) {
      continue;
    }
    if (option === "custom_data") {
      Object.assign(built, value);
      continue;
    }
    const name = names[option] ?? camel(option);
    used.add(`${kind}.${name}`);
    built[name] = parts[option] ? parts[option](value) : value;
  }
  return built;
};

const UNITS = { days: 86_400_000, hours: 3_600_000, seconds: 1000, milliseconds: 1, microseconds: 0.001 };

// Milliseconds of a timedelta; anything else, in the unit that it has, as milliseconds.
const millis = (unit) => (value) => {
  if (value !== null && typeof value === "object") {
    return Object.entries(value).reduce((sum, [unit, number]) => sum + number * UNITS[unit], 0);
  }
  return typeof value === "number" ? value * unit : value;
};

const moment = (value) => {
  if (value === null || typeof value !== "object") {
    return value;
  }
  return new Date(value.seconds * 1000 + (value.microseconds ?? 0) / 1000);
};

const each = (part) => (list) => (Array.isArray(list) ? list.map(part) : list);

const light = (value) =>
  build("LightSettings", value, {
    parts: { light_on_duration_millis: millis(1), light_off_duration_millis: millis(1) },
  });

const androidNotification = (value) =>
  build("AndroidNotification", value, {
    parts: { light_settings: light, event_timestamp: moment, vibrate_timings_millis: each(millis(1)) },
    names: { image: "imageUrl" },
  });

const android = (value) =>
  build("AndroidConfig", value, {
    parts: {
      ttl: millis(1000),
      notification: androidNotification,
      fcm_options: (value) => build("AndroidFcmOptions", value),
    },
  });

const webNotification = (value) =>
  build("WebpushNotification", value, {
    parts: { actions: each((value) => build("WebpushNotificationAction", value)) },
    names: { direction: "dir", language: "lang", timestamp_millis: "timestamp" },
  });

const webpush = (value) =>
  build("WebpushConfig", value, {
    parts: { notification: webNotification, fcm_options: (value) => build("WebpushFcmOptions", value) },
  });

const CUSTOM_ALERT = {
  "subtitle-loc-key": "subtitleLocKey",
  "subtitle-loc-args": "subtitleLocArgs",
};

// Two keys that are custom in the Python package are options of this one.
const alert = (value) => {
  if (value === null || typeof value !== "object") {
    return value;
  }
  const { custom_data: custom, ...options } = value;
  const rest = {};
  for (const [key, value] of Object.entries(custom ?? {})) {
    if (CUSTOM_ALERT[key]) {
      used.add(`ApsAlert.${CUSTOM_ALERT[key]}`);
      options[CUSTOM_ALERT[key]] = value;
    } else {
      rest[key] = value;
    }
  }
  return build("ApsAlert", { ...options, custom_data: rest });
};

const aps = (value) =>
  build("Aps", value, { parts: { alert, sound: (value) => build("CriticalSound", value) } });

// `aps`, and keys of the app's own as they are.
const payload = (value) => {
  used.add("ApnsPayload.aps");
  return value === null || typeof value !== "object" || !("aps" in value) ? value : { ...value, aps: aps(value.aps) };
};

const apns = (value) =>
  build("ApnsConfig", value, {
    parts: {
      payload,
      fcm_options: (value) => build("ApnsFcmOptions", value, { names: { image: "imageUrl" } }),
    },
  });

const message = (value) =>
  build("Message", value, {
    parts: {
      notification: (value) => build("Notification", value, { names: { image: "imageUrl" } }),
      android,
      webpush,
      apns,
      fcm_options: (value) => build("FcmOptions", value),
    },
  });

// As `Messaging.send` does it, up to the request.
const encode = (row) => {
  try {
    const copy = deepCopy(message(row.message));
    validateMessage(copy);
    const body = { message: copy };
    if (row.dry_run) {
      body.validate_only = true;
    }
    return { id: row.id, body };
  } catch (error) {
    return { id: row.id, refused: error.message };
  }
};

// The options of the interfaces that are built here, by their declarations, that no input sets.
const unused = () => {
  const kinds = new Set([...used].map((name) => name.split(".")[0]));
  const missing = [];
  for (const [, kind, members] of declared.matchAll(/export interface (\w+)(?: extends \w+)? \{\n([\s\S]*?)\n\}/g)) {
    const name = kind === "BaseMessage" || /^(Fid|Token|Topic|Condition)Message$/.test(kind) ? "Message" : kind;
    if (!kinds.has(name)) {
      continue;
    }
    for (const [, member] of members.matchAll(/^ {4}(\w+)\??:/gm)) {
      if (!used.has(`${name}.${member}`)) {
        missing.push(`${name}.${member}`);
      }
    }
  }
  return missing;
};

// Other than JSON.stringify, in ASCII, as the Python package's golden file is.
const ascii = (value) =>
  JSON.stringify(value).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

const { name, version } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));
const lines = [ascii({ package: name, version })];
for (const row of JSON.parse(fs.readFileSync(inputs, "utf8"))) {
  lines.push(ascii(encode(row)));
}
process.stdout.write(`${lines.join("\n")}\n`);
const missing = unused();
if (missing.length > 0) {
  process.stderr.write(`no input sets ${missing.join(", ")}\n`);
  process.exit(1);
}
