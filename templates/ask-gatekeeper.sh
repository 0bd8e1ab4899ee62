# Asks the gatekeeper of this machine what stands on its input; each answer is a line of JSON.
cd -- "$HOME/.labctl/agents/gatekeeper" 2>/dev/null ||
  refuse "there is no gatekeeper on it" "labctl up starts the lab's agents"
exec "$HOME/.labctl/venv/bin/python3" -m gatekeeper.ask
