// Reads a Mermaid flowchart from standard input with the real parser; prints its labels, kinds and edges as JSON.
// It ends with an error where the text is no flowchart.
import { JSDOM } from "jsdom";

const { window } = new JSDOM("");
Object.assign(globalThis, { window, document: window.document });
const { default: mermaid } = await import("mermaid");
let text = "";
for await (const part of process.stdin) text += part;
await mermaid.parse(text);
const diagram = await mermaid.mermaidAPI.getDiagramFromText(text);
// The parser keeps #NUMBER; in a spelling of its own until the picture is drawn.
const label = (vertex) => vertex.text.replace(/ﬂ°°(\d+)¶ß/g, (_, n) => String.fromCodePoint(n));
const vertices = [...diagram.db.getVertices().values()];
console.log(JSON.stringify({
    type: diagram.type,
    labels: vertices.map(label),
    kinds: vertices.map((vertex) => vertex.classes.join(" ")),
    edges: diagram.db.getEdges().map((edge) => [edge.start, edge.end]),
}));
