// The filter bar: short addresses, and dates and named period one at a time.
//
// Hooks: <form role="search"> with fields "from", "to" and "period", of which it may lack any;
// <select data-submit-on-change>, whose form is sent when another option is chosen.

const DATES = ["from", "to"];

// A period by name and dates together are refused by the server.
function onChange(event) {
  const field = event.target;
  if (field.matches("select[data-submit-on-change]")) field.form.requestSubmit();
  const form = field.form;
  if (!form?.matches("[role=search]") || !field.value) return;
  const others = DATES.includes(field.name) ? ["period"] : field.name === "period" ? DATES : [];
  for (const name of others) {
    const other = form.elements.namedItem(name);
    if (other) other.value = "";
  }
}

// What was left empty does not narrow anything and need not stand in the address.
function leaveOutEmpty(event) {
  if (!event.target.matches("form[role=search]")) return;
  const { formData } = event;
  for (const name of new Set(formData.keys())) {
    const given = formData.getAll(name).filter((value) => value !== "");
    formData.delete(name);
    for (const value of given) formData.append(name, value);
  }
}

export function start() {
  document.addEventListener("change", onChange);
  document.addEventListener("formdata", leaveOutEmpty);
}
