"""Rights, as Django spells them, to objects of this app."""

from activities import rights as activity_rights
from people import rights as person_rights

SHARE_REPORT = "smartlists.share_report"
ACTIVATE_SMARTCAMPAIGN = "smartlists.activate_smartcampaign"
ADD_SMARTCAMPAIGN = activity_rights.ADD_SMARTCAMPAIGN
CHANGE_SMARTCAMPAIGN = "smartlists.change_smartcampaign"
DELETE_SMARTCAMPAIGN = "smartlists.delete_smartcampaign"
VIEW_SMARTCAMPAIGN = "smartlists.view_smartcampaign"
ADD_SMARTLIST = "smartlists.add_smartlist"
CHANGE_SMARTLIST = "smartlists.change_smartlist"
DELETE_SMARTLIST = "smartlists.delete_smartlist"
VIEW_SMARTLIST = "smartlists.view_smartlist"
ADD_WEBHOOK = "smartlists.add_webhook"
CHANGE_WEBHOOK = "smartlists.change_webhook"
DELETE_WEBHOOK = "smartlists.delete_webhook"
VIEW_WEBHOOK = "smartlists.view_webhook"
VIEW_WEBHOOKDELIVERY = "smartlists.view_webhookdelivery"
# of the user of a campaign that sends values of people and activities out of the product by a webhook
SEND_BY_WEBHOOK = (person_rights.VIEW_PERSON, activity_rights.VIEW_ACTIVITY, VIEW_WEBHOOK)
