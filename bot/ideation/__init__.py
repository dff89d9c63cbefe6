"""From a brief to sourced ideas. Knows no Discord and no terminal."""
