"""What a campaign is: its parts, how they are parsed, shown, and which rights and objects they need."""
