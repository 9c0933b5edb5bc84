"""What hardware/ says, read strictly: boards, regions, channel maps, PHY tables, modem dialects."""
