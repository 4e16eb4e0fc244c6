// Draws the figures whose JSON the page carries, each into the place of the same id.
document.addEventListener("DOMContentLoaded", () => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  for (const [id, figure] of Object.entries(figures)) {
    const config = { responsive: true, displaylogo: false, modeBarButtons: [["toImage"]] };
    window.Plotly.newPlot(id, figure.data, figure.layout, config);
  }
});
