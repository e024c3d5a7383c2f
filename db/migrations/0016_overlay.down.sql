drop table alert_control;
