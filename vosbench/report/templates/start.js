// Show what the address says, else the first sequence that has pictures; then all else.

setUpViewer();
setUpPair();
followLink()
  .then((linked) => linked || openSequence(Math.max(0, overview.pictures.indexOf(true))))
  .finally(() => setTimeout(() => {
    setUpTables();
    setUpPlots();
    setUpFailures();
    // What has been filled in above has moved the pictures.
    if (linked) $("frames").scrollIntoView();
    document.body.dataset.ready = "";
  }));
