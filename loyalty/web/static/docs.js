// Trying a route on the page that describes it. Requests go to this server alone; the token stays
// in its field, and cookies are not sent.

const one = (selector, root = document) => root.querySelector(selector);
const words = one("#try").dataset;
const token = one("#try-token");
one("#try").hidden = false;
token.form.addEventListener("submit", (event) => event.preventDefault());

let document_; // the OpenAPI document, read when the first route is opened
const describe = () => (document_ ??= fetch("/v1/openapi.json").then((answer) => answer.json()));

const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

const newKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// A value of the shape, with what is required: somewhere to begin typing.
const sample = (api, shape, depth = 0) => {
  if (depth > 8 || !shape) return null;
  if (shape.$ref) return sample(api, api.components.schemas[shape.$ref.split("/").at(-1)], depth + 1);
  if (shape.examples) return shape.examples[0];
  if (shape.enum) return shape.enum.find((value) => value !== null);
  const type = [shape.type].flat().find((name) => name !== "null");
  if (type === "array") return [sample(api, shape.items, depth + 1)];
  if (type === "object" || shape.properties) {
    const needed = (shape.required ?? []).map((name) => [name, sample(api, shape.properties?.[name], depth + 1)]);
    return Object.fromEntries(needed);
  }
  if (type === "integer") return shape.minimum ?? 1;
  if (type === "boolean") return false;
  if (shape.format === "date-time") return new Date().toISOString();
  if (shape.format === "date") return new Date().toISOString().slice(0, 10);
  return "";
};

const field = (id, label, input) => {
  input.id = id;
  return make("div", { class: "field" }, make("label", { for: id }, label), input);
};

const bodyField = (api, id, request) => {
  const [type, content] = Object.entries(request.content)[0];
  if (type === "application/octet-stream") {
    const file = make("input", { type: "file" });
    return { type, field: field(id, words.body, file), read: () => file.files[0] };
  }
  const box = make("textarea", { rows: "8", spellcheck: "false", autocomplete: "off" });
  const content_ = sample(api, content.schema);
  box.value = type === "application/json" ? JSON.stringify(content_, null, 2) : new URLSearchParams(content_).toString();
  return { type, field: field(id, words.body, box), read: () => box.value };
};

const show = async (output, answer) => {
  const text = await answer.text();
  let shown = text;
  if (/[/+]json/.test(answer.headers.get("Content-Type") ?? "")) shown = JSON.stringify(JSON.parse(text), null, 2);
  const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`);
  output.textContent = [`${answer.status} ${answer.statusText}`, ...headers, "", shown || words.empty].join("\n");
};

const build = (api, details) => {
  const { method, path } = details.dataset;
  const operation = api.paths[path][method.toLowerCase()];
  const inputs = (operation.parameters ?? []).map((parameter) => {
    const input = make("input", { type: "text", autocomplete: "off", spellcheck: "false" });
    if (parameter.required) input.required = true;
    if (parameter.name === "Idempotency-Key") input.value = newKey();
    return { parameter, input };
  });
  const body = operation.requestBody && bodyField(api, `${details.id}-body`, operation.requestBody);
  const output = make("pre", { class: "answer", role: "status", tabindex: "0", "aria-label": words.answer, hidden: "" });
  const form = make(
    "form",
    { class: "form try" },
    ...inputs.map(({ parameter, input }, n) => field(`${details.id}-${n}`, `${parameter.name} (${parameter.in})`, input)),
    ...(body ? [body.field] : []),
    make("div", { class: "actions" }, make("button", { class: "button" }, words.send)),
    output,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const headers = new Headers({ "Accept-Language": document.documentElement.lang });
    const query = new URLSearchParams();
    let address = path;
    for (const { parameter, input } of inputs) {
      if (input.value === "") continue;
      if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      if (parameter.in === "query") query.set(parameter.name, input.value);
      if (parameter.in === "header") headers.set(parameter.name, input.value);
    }
    if (token.value) headers.set("Authorization", `Bearer ${token.value.trim()}`);
    if (body) headers.set("Content-Type", body.type);
    output.hidden = false;
    try {
      const asked = { method, headers, body: body?.read(), credentials: "omit", cache: "no-store", redirect: "error" };
      await show(output, await fetch(query.size ? `${address}?${query}` : address, asked));
    } catch (fault) {
      output.textContent = `${words.failed} ${fault.message}`;
    }
  });
  return form;
};

for (const details of document.querySelectorAll("details[data-path]")) {
  details.addEventListener(
    "toggle",
    async () => details.append(make("h3", {}, words.title), build(await describe(), details)),
    { once: true },
  );
}
