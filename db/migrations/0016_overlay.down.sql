drop table overlay_settings;
drop table alert_control;
