// The figures of one bar in words, line by line: for the tooltip, and to be read aloud.
export function figuresOf(data, index) {
  const { names } = data;
  const format = new Intl.NumberFormat(data.locale);
  const isRunning = index === data.running;
  const lines = [data.labels[index] + (isRunning ? ` (${names.running})` : "")];
  for (const key of ["registered", "cumulative", "endOfDay"]) {
    const value = data[key][index];
    if (value !== null) lines.push(`${names[key]}: ${format.format(value)}`);
  }
  return lines;
}
