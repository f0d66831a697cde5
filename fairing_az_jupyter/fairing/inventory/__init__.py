"""What launches have made in a namespace: listed, asked, cleaned up."""
