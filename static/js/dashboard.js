// Draws the figures whose JSON the page carries, each into the place of the same id.
// On a phone the labels would leave the plot no room, and the stamp would be cut off.
function fitPhone(layout) {
  layout.font.size = 10;
  layout.height += 70;
  layout.margin.t += 10;
  layout.margin.b += 60;
  layout.legend = { ...layout.legend, y: -0.4, yanchor: "top", x: 1, xanchor: "right" };
  const title = layout.xaxis.title;
  if (title) title.text = title.text.replaceAll("    ", "<br>");
  for (const note of layout.annotations ?? []) {
    note.text = note.text.replace(": ", ":<br>").replace("cast by ", "cast by<br>");
    Object.assign(note, { align: "right", x: 1, xanchor: "right", yshift: 60 });
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const narrow = window.matchMedia("(max-width: 40rem)").matches;
  for (const [id, figure] of Object.entries(figures)) {
    if (narrow) fitPhone(figure.layout);
    const config = { responsive: true, displaylogo: false, modeBarButtons: [["toImage"]] };
    window.Plotly.newPlot(id, figure.data, figure.layout, config);
  }
});
