"""The other ways in which people reach a business: texts, chats, forms, social messages and leads."""
