try {
  const theme = localStorage.getItem("prunebench-theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {}
