// Everything is there: show what the address says, else the first sequence that has pictures.

setUpViewer();
setUpPair();
if ($("failures")) setUpFailures();
followLink().then((found) => {
  if (!found) openSequence(Math.max(0, overview.pictures.indexOf(true)));
});
