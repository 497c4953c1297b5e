// Show what the address says, else the first sequence that has pictures; then all else.

setUpViewer();
followLink()
  .then((linked) => linked || openSequence(Math.max(0, overview.pictures.indexOf(true))))
  .finally(() => setTimeout(() => {
    setUpPair();
    setUpTables();
    setUpPlots();
    setUpFailures();
    // What has been filled in above has moved the pictures.
    if (linked) $("frames").scrollIntoView();
    document.body.dataset.ready = "";
  }));
