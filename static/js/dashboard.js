// Draws the figures whose JSON the page carries, each into the place of the same id.
// On a phone the labels would leave the plot no room, and the stamp would be cut off.
function fitPhone(layout) {
  layout.font.size = 10;
  layout.height += 30;
  layout.margin.t += 30;
  for (const note of layout.annotations ?? []) {
    note.text = note.text.replace(": ", ":<br>").replace("cast by ", "cast by<br>");
    note.align = "left";
    note.yshift += 20;
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
