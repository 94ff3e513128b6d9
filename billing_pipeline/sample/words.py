"""Words that company names of the sample book are made of: every pair of owner and trade is one name."""

OWNERS = (
    "Acorn", "Alpine", "Amber", "Anchor", "Applewood", "Arbor", "Aspen", "Bayview", "Beacon", "Bellflower",
    "Birchwood", "Bramble", "Brightwater", "Canyon", "Cardinal", "Cascade", "Cedarhill", "Chestnut", "Clearbrook",
    "Cloverdale", "Cobalt", "Coral", "Crestview", "Cypress", "Dovetail", "Driftwood", "Eastgate", "Elmwood",
    "Emerald", "Evergreen", "Fairview", "Falcon", "Fieldstone", "Foxglove", "Gateway", "Goldfinch", "Greenway",
    "Harvest", "Hawthorn", "Heritage", "Highland", "Hillcrest", "Hollyhock", "Inlet", "Ivory", "Keystone",
    "Lakeside", "Larkspur", "Laurel", "Lighthouse", "Lilac", "Magnolia", "Maplewood", "Midtown", "Millstone",
    "Mosswood", "Oakridge", "Orchard", "Osprey", "Palisade", "Peregrine", "Pinecrest", "Prairie", "Quarry",
    "Redwood", "Ridgeline", "Riverbend", "Rockport", "Sagebrush", "Sandpiper", "Seabright", "Silverton", "Summit",
    "Sunnyside", "Sycamore", "Terrace", "Timber", "Valley", "Vista", "Westbrook", "Wildflower", "Willow",
)  # fmt: skip
TRADES = (
    "Animal Hospital", "Auto Repair", "Bakery", "Bike Shop", "Bistro", "Books", "Brewing", "Builders", "Cafe",
    "Carpentry", "Catering", "Child Care", "Chiropractic", "Cleaning", "Coffee Roasters", "Consulting",
    "Dance Studio", "Deli", "Dental Care", "Design", "Diner", "Electric", "Engineering", "Events", "Eye Care",
    "Farms", "Fitness", "Flooring", "Florist", "Garden Center", "Gifts", "Glass", "Grill", "Grocers", "Hair Studio",
    "Hardware", "Home Care", "Insurance", "Interiors", "Inn", "Jewelers", "Kitchen", "Landscaping", "Law Group",
    "Locksmith", "Logistics", "Marine", "Market", "Masonry", "Media", "Moving", "Music School", "Nursery",
    "Optical", "Outfitters", "Painting", "Pediatrics", "Pet Spa", "Pharmacy", "Physical Therapy", "Pizza",
    "Plumbing", "Pottery", "Printing", "Property Care", "Roofing", "Security", "Tax Services", "Tutoring", "Yoga",
)  # fmt: skip
SUFFIXES = ("", "", "", " LLC", " LLC", ", Inc.", " Co.")
