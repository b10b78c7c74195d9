// The chosen theme before anything is painted; a script of its own, as the policy wants it.
try {
  const theme = JSON.parse(localStorage.getItem('settings') ?? '{}').theme;
  if (theme === 'light' || theme === 'dark') document.documentElement.style.colorScheme = theme;
} catch {
  // Nothing stored, or storage is switched off: the system's theme.
}
